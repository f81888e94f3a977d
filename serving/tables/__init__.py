"""The live numbers: what each deployment is doing right now, frozen into a snapshot per decision."""
