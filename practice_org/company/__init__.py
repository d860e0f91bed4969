"""What fills an org: a generated company and its life, or CSV files."""
