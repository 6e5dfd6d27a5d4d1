// Package bayes tells from the words of a message whether it is wanted.
package bayes
