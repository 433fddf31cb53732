"""Pages for a browser, at the addresses that the wandb client prints.

On loopback the pages ask for no key, so that a link in a terminal simply opens: only this machine can connect there. A
web site could still try, from the person's own browser. One that lets its name point to 127.0.0.1 (DNS rebinding) sends
that name as Host, which is refused; one that links here cannot read the answer. Without a login, a person is a guest,
who may read everything and change nothing. On any other address, and as soon as there are users with rights of their
own, every page asks for a login: with a key, or with the link that the server prints and that works once. Changes need
a form that only a page of the same login can have made.
"""
