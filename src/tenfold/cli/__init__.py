"""The `tenfold` command. `main.py` is its entry, `app.py` lists the commands, one module each holds them."""
