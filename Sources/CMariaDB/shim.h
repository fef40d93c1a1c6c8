#pragma once

// MariaDB Connector/C (libmariadb), the client library of MariaDB and MySQL. No logic here.

#include <errmsg.h>
#include <mysql.h>
