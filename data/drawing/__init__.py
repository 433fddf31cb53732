"""The drawn photograph, by noun: noise, outline, prints, photograph. `data.synthetic` is the door."""
