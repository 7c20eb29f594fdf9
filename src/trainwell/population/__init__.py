"""MANY networks, trained side by side: settings, steps, epochs, cohorts, devices."""
