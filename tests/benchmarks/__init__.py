"""Speed, accuracy and memory beside what a user would pick instead; `make bench` runs it."""
