"""The plate reader: network, training data, training, export."""
