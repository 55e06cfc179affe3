// Package chaos tests the product as several processes on engines outside, and
// breaks what they stand on in the middle of a sale: processes are killed,
// frozen and rolled over, Redis is flushed, frozen and killed, RabbitMQ is
// killed and fed poison. It shares houses, clients and judges with the package
// system; see docs/reliability.md for what each test shows and by which control.
//
// All of it carries the build tag `engines`: `make engines-up` starts what it
// needs, and a missing engine fails a test, never skips it. Engines that are to
// break are the test's own, on ports of their own. With the tag `long` as well
// outages and loads have their full length.
package chaos
