"""Takes camera frames in and puts them on Kafka, losing none."""
