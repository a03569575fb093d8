"""The plate detector: a slim one-class YOLO26, its training and export."""
