"""What connections cost: memory, CPU and network; and what is done about it."""
