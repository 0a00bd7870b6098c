"""What is made ready to be shipped: models of what others published, and compiled graphs."""
