"""What travels on Kafka: one file per message type, frozen pydantic models, JSON values.

Unknown fields are tolerated and only optional fields are ever added; anything else is a `v2`
(stored examples of each version: `tests/contracts/`). This package imports the standard library
and pydantic alone, so that a CAD vendor or an auditor can use it without the rest.
"""
