"""`twikit-pool top`: the pools of a service in a terminal, live.

`known` keeps what the event socket tells, `views` fetch the rows that are on the screen, `long_table` shows
them, `acts` say what can be done, `dialogs` ask before it is, and `app` holds it all together.
"""
