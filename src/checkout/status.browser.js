/** Stand-in. */
