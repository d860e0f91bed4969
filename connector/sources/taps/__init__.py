"""Singer taps, which others wrote for hundreds of systems, each as a source of its own."""
