// Package demo has the tests of Realm in a page, in Chromium, as a person would use it
// and as other pages do.
package demo
