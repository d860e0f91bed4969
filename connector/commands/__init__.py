"""The commands, one file each, and what people see of them."""
