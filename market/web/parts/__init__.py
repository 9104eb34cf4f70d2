"""What pages of every area are made of: forms and fields, figures and days, drawings, what went wrong."""
