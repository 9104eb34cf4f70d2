"""What a request passes on its way in and out: the door, who is looking, cookies, tokens of forms, files."""
