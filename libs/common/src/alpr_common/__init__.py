"""What every service of the ALPR system shares: messages, topics, policy, and the edges to Kafka, PostgreSQL and the object store."""
