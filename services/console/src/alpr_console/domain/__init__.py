"""What the pages show and say. Pure: no services, no time of its own."""
