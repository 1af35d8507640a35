"""What a version tells about itself: quality report, data card, machine-readable description."""
