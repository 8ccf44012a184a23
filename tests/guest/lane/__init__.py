# SPDX-License-Identifier: Apache-2.0
"""The guest lane: machines that QEMU emulates, and what runs in them. tools/guest_test is its command."""
