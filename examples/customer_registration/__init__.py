"""Customer registration: who registers gets one welcome e-mail, and the newsletter where they want it."""
