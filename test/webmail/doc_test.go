// Package webmail_test shows that people can manage their filters in a browser: Roundcube on PHP, as the distribution
// ships it and docs/sieve.md sets it up, stands before the real server, and a headless Chromium clicks and types in its
// pages as somebody would. What a filter does is then seen from outside, by mail that comes in.
package webmail_test
