"""What X's JSON looks like: users, posts, timelines, cards."""
