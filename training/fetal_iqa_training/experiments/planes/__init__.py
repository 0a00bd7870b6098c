"""Which fetal plane a frame shows: encoders compared within and out of their domain."""
