"""The tests of Lakelight; ``CONTRIBUTING.md`` says which kind goes where."""
