"""`python -m keras_interp`, the command line where its script is not on the path."""

from keras_interp.cli import main

if __name__ == "__main__":
    main()
