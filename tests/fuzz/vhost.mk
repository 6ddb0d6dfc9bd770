# any bytes as frames
FUZZ += frame
FUZZ_SRCS_frame := vhost/forward.c vhost/mac_table.c
