"""Growth: charts of a measure by gestational age, age by dates, and estimated weight."""
