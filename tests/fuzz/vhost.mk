# any bytes as frames
FUZZ += frame
FUZZ_SRCS_frame := vhost/forward.c vhost/mac_table.c
# any bytes as requests and answers
FUZZ += flow
FUZZ_SRCS_flow := vhost/flow.c vhost/response.c
