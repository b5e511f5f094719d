"""Attacks on a real server: gunicorn with two workers on loopback, a browser of raw HTTP, and canaries in the data.

Each test carries the id of its case: ``@pytest.mark.attack("A-01")``; ``docs/security-coverage.md`` lists them all.
Everything the server answers is searched for what the asker must not see, and at the end so is all that it wrote.
"""
