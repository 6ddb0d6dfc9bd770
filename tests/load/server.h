/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - answers synthetic requests after computing for as long as asked
 */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include "tests/load/options.h"

/*
 * server_run() - Serve for ever
 * Return: -errno when the sockets could not be made; a sentence was printed.
 */
int server_run(const struct server_conf *conf);

#endif
