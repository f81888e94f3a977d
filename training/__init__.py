"""Makes artifacts: labelled prompts → numbers → heads → one graph, checked and measured before it is kept."""
