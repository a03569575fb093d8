"""What the audit does, one function per use case. Each is itself an access record."""
