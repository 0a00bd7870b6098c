"""What every format needs of its frames: grey values, one size, inflating on demand."""
