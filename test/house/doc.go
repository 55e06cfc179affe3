// Package house gives the tests of the whole product what they share: the real
// binary in a data directory of its own, clients that speak to it over HTTP and
// websockets, what people were told of their orders, and the judges. It imports
// none of the rooms, so that what the tests show can't depend on how they are
// made; what it believes of a sale it reads from PostgreSQL with the address
// that `happening db-url` prints.
//
// # Two worlds
//
// Without a build tag a house stands on the embedded engines. With the tag
// `engines` every house is given a database, a number of Redis's databases and a
// virtual host of RabbitMQ of its own, on the servers that the environment names
// (`make engines-up` starts them and writes their addresses to
// build/engines/env); sign-in stays embedded, since the load needs tokens for
// thousands of people. The same tests pass in both.
//
// # Replicas
//
// Replicas are several servers on one set of engines behind a Balancer that
// does as little as one may: round robin, a look at /readyz ten times a second,
// and never a second try, so that what a client sees is what the product did.
//
// The package reads /proc and uses namespaces, so it is for Linux only.
package house
