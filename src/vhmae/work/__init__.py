"""What a job of a user is made of: videos read, harmonized and written; previews, tables of jobs,
pipes, clusters."""
