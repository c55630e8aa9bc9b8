/**
 * What is traced: an order goes from HTTP to the node that numbers it, from there to all nodes, and into a queue.
 */
import { Module } from '@nestjs/common';
import { Invoices } from './invoices.js';
import { OrderBoard } from './order.board.js';
import { OrderController } from './order.controller.js';
import { OrderDesk } from './order.desk.singleton.js';

@Module({ controllers: [OrderController], providers: [OrderDesk, OrderBoard, Invoices] })
export class OrdersModule {}
