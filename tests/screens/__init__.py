"""Pages and callbacks through the test client, as a browser would ask."""
