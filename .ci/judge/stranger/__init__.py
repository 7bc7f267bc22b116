"""Two providers as their documentation lets them be, written without a look at the program's own sandbox."""
