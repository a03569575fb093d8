"""What every service of the ALPR system shares.

Messages, topics, plates, policy, and the edges to Kafka, PostgreSQL and the object store.
"""
