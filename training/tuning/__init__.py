"""An encoder that knows the task: a transformer is fitted to the labels, and a small network copies it."""
