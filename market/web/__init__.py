"""Pages for people: server-rendered HTML that works without JavaScript, and the fragments of it.

How a page is made: a handler asks a room's queries, then ``pages.page(request, "room/name.html",
...)``. How a form is read: ``forms.Form(...)`` declares its fields once, for parsing and drawing.
HTTP is known here and in ``market.api`` only.
"""
