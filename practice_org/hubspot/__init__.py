"""HubSpot's API beside the org."""
