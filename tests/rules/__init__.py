"""The architecture and the promises, read off the code itself."""
