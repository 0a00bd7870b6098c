"""A fine-tuning in a process of its own: started, followed, found again, judged."""
