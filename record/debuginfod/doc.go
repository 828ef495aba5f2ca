// Package debuginfod gets separate debug files from the servers in $DEBUGINFOD_URLS, by build ID.
// Without that variable there is no [Client].
//
// The protocol is one request: GET URL/buildid/BUILDID/debuginfo. Environment, cache directory and
// cache layout are those of elfutils (debuginfod-client.c, version 0.188), so that gdb, perf and
// utrace share one cache:
//
//	$DEBUGINFOD_URLS         servers, separated by spaces, asked in this order
//	$DEBUGINFOD_CACHE_PATH   the cache; else ~/.debuginfod_client_cache if it exists, else
//	                         $XDG_CACHE_HOME/debuginfod_client, else ~/.cache/debuginfod_client
//	$DEBUGINFOD_TIMEOUT      seconds in which a server must deliver each 100 KiB; 90
//	$DEBUGINFOD_MAXTIME      seconds that one download may take; no limit
//	$DEBUGINFOD_MAXSIZE      bytes of the largest file to download; 2 GiB
//	CACHE/BUILDID/debuginfo  a file. An empty one is a miss, valid for the seconds in
//	                         CACHE/cache_miss_s; 600
//
// Different from elfutils: servers are asked one after the other, only http and https are spoken,
// and the cache is never cleaned. elfutils' client cleans it when it runs.
//
// # When files are downloaded
//
// A download can take minutes. So a recording downloads while it plans, when it holds no process,
// and only for files in which a probe may name functions. [Client.Stop] ends that: from then on
// only the cache is used. [Client.Skipped] names what was not in it.
//
// An error never stops a recording: it becomes a notice. A server that cannot be reached, or is too
// slow, is not asked again.
//
// # Trust
//
// A server, and everybody who can write to the cache, is a stranger. A download has a size limit,
// counted after decompression. It is written beside its place, must be a debug file with the
// requested build ID, and is renamed when complete. The cache is opened as an [os.Root]: links in
// it cannot lead a recorder that runs as root to another directory.
package debuginfod
