"""What passes between the stages: chains, problems, numbers, schemas and files."""
