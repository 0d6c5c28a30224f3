"""Tables, figures and a summary in words, from run records alone, so that any report can be remade without a GPU."""
